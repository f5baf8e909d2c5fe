# What is not Go: consumers, decoders and tools of other languages.

.PHONY: foreign foreign-machine

foreign: foreign-machine ## The tests with programs of other languages: needs Java 17, Maven, Python 3 and Node 20
	KYCBRIDGE_TEST_FOREIGN=1 go test -count=1 -timeout 30m -run '^TestForeign' ./e2e/...

foreign-machine: # installs what is missing where that is possible
	@deploy/services/languages.sh
