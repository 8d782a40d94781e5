"""The local web app: one page, its data, and a WebSocket that feeds it."""
