package e2e

func contentFaults() []fault { return nil }
