package e2e

func kafkaFaults() []fault { return nil }
