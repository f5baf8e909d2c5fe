package dev

import (
	"testing"
)

func TestQuoteAndDialable(t *testing.T) {
	if got := quote(`a'b"c`); got != `'a'\''b"c'` {
		t.Errorf("quoted as %s", got)
	}
	for in, want := range map[string]string{
		"0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", ":80": "127.0.0.1:80", "127.0.0.2:80": "127.0.0.2:80", "host:80": "host:80", "odd": "odd",
	} {
		if got := dialable(in); got != want {
			t.Errorf("dialable(%q) is %q, want %q", in, got, want)
		}
	}
}
