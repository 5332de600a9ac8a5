"""The embedded test gateway. See `payments.gateways.sandbox.gateway`."""

from payments.gateways.sandbox.gateway import SandboxGateway

__all__ = ["SandboxGateway"]
