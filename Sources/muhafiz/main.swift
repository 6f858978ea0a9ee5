print("muhafiz")
