"""The command line: nouns, then verbs; one file per noun. Data goes to standard output, everything else to error."""
