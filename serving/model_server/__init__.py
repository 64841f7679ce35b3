"""Slipway's model server: a Flask application that loads one bundle and answers.

Complete on its own: it imports nothing outside this folder but the packages in `serving/requirements.txt`.
"""
