"""A whole MLflow store, brought in from its database or server, or written as its folder."""
