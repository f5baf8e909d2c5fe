"""Opens accounts by the decisions of kyc.session.v1."""
