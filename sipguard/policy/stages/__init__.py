"""The stages of the chain, one per file: each looks at a call and returns a finding, a need, or None."""
