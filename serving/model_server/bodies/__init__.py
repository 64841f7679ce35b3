"""What clients send and get, by media type: JSON, CSV, JSON Lines, Parquet, Arrow and .npy."""
