print("dirtyrec")
