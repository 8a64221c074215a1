"""HTTP beside the proxy: health and metrics, on loopback unless the operator says otherwise."""
