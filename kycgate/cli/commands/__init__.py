"""The commands that stand on their own, a module each: `register(app)` adds them to the command line.

Heavy imports (pytest, Locust, reports) belong inside the functions: a wrong call is answered before they are loaded.
"""
