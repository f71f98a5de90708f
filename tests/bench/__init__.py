"""`python run.py bench`: this project and what people would write instead, on the same work."""
