"""Every operation of the OpenAPI document, tried by schemathesis with all of its checks."""
