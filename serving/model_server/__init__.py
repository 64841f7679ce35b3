"""Slipway's model server: a Flask application that loads one bundle and answers, in every protocol people use.

Complete on its own: it imports nothing outside this folder but the packages in `serving/requirements.txt`.
"""

__version__ = "0.2.0"
