"""TensorBoard's log folders, read into runs and written from them."""
