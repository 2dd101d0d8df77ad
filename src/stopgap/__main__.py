from stopgap.cli.main import main

main()
