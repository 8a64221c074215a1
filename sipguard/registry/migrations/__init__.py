"""The history of the schema, run by ``database`` whenever a registry is opened."""
