"""How fast a policy runs, and how fast it could: timed loops, natively, in Node and in Chromium."""
