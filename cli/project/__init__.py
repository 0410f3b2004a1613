"""The projects of an environment: pipelines, deployments and what holds them."""
