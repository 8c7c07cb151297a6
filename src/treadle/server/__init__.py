"""The HTTP doors: pages, JSON API, live events, inference; and the processes behind them."""
