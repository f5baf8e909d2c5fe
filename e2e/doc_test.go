// Package e2e proves the promise of the whole program from outside: it builds
// the binary, runs it as separate processes, posts signed webhooks to it, kills
// it, and reads with an ordinary Kafka client what came out.
//
// It is not the place for tests of one package; those stand beside their code.
//
// The same test runs on the embedded pair (`kycbridge dev`) and, where
// KYCBRIDGE_TEST_KAFKA and KYCBRIDGE_TEST_REDIS name them, on a real Kafka and
// a real Redis (`make services` starts both).
package e2e
