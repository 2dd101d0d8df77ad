from stopgap.cli.lab import app

if __name__ == "__main__":
    app(prog_name="stopgap lab")
