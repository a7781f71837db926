"""The staff console: server-rendered pages in Chinese, one module for each place of the frame."""
