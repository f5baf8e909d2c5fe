package auth

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func networks(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	var all []netip.Prefix
	for _, text := range texts {
		p, err := ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestClientAddr(t *testing.T) {
	trusted := networks(t, "10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1")
	for _, tc := range []struct {
		name, peer string
		forwarded  []string
		want       string // "" for none
	}{
		{"no proxy", "192.0.2.1:5", nil, "192.0.2.1"},
		{"a stranger's header", "192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		{"one proxy", "10.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7"},
		{"one proxy, no header", "10.0.0.1:5", nil, "10.0.0.1"},
		{"forged on the left", "10.0.0.1:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"two proxies", "10.0.0.1:5", []string{"198.51.100.7, 10.9.9.9"}, "198.51.100.7"},
		{"forged left of two", "10.0.0.1:5", []string{"203.0.113.9,198.51.100.7,10.9.9.9"}, "198.51.100.7"},
		{"two lines", "10.0.0.1:5", []string{"203.0.113.9", "198.51.100.7, 10.9.9.9"}, "198.51.100.7"},
		{"a forged second line", "10.0.0.1:5", []string{"198.51.100.7", "10.2.2.2"}, "198.51.100.7"},
		{"nothing but proxies", "10.0.0.1:5", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"with ports", "10.0.0.1:5", []string{"198.51.100.7:1234"}, "198.51.100.7"},
		{"IPv6 with port", "[2001:db8:1::1]:5", []string{"[2001:db8:2::7]:443"}, "2001:db8:2::7"},
		{"IPv6 in brackets", "10.0.0.1:5", []string{"[2001:db8:2::7]"}, "2001:db8:2::7"},
		{"half a bracket", "10.0.0.1:5", []string{"[2001:db8:2::7"}, "10.0.0.1"},
		{"IPv6 with zone", "10.0.0.1:5", []string{"fe80::1%eth0"}, "fe80::1"},
		{"peer with zone", "[fe80::1%eth0]:5", nil, "fe80::1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"garbage", "10.0.0.1:5", []string{"unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1:5", []string{"_hidden, 10.9.9.9"}, "10.0.0.1"},
		{"garbage left of the answer", "10.0.0.1:5", []string{"'; drop table, 198.51.100.7"}, "198.51.100.7"},
		{"an empty entry", "10.0.0.1:5", []string{"198.51.100.7, "}, "10.0.0.1"},
		{"empty", "10.0.0.1:5", []string{""}, "10.0.0.1"},
		{"a peer without address", "@", []string{"198.51.100.7"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ClientAddr(tc.peer, tc.forwarded, trusted)
			if got.IsValid() != (tc.want != "") || got.IsValid() && got.String() != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestNetworks(t *testing.T) {
	n := Networks{networks(t, "192.0.2.0/24", "2001:db8::/32", "203.0.113.7")}
	for text, want := range map[string]error{
		"192.0.2.255": nil, "2001:db8::1": nil, "203.0.113.7": nil,
		"192.0.3.1": ErrForbidden, "203.0.113.8": ErrForbidden, "2001:db9::1": ErrForbidden,
	} {
		if id, err := n.Verify(nil, Request{Client: netip.MustParseAddr(text)}); id != "" || !errors.Is(err, want) {
			t.Errorf("%s: %q, %v; want %v", text, id, err, want)
		}
	}
	if _, err := n.Verify(nil, Request{}); !errors.Is(err, ErrForbidden) {
		t.Errorf("an unknown address: %v, want ErrForbidden", err)
	}
}

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "192.0.2.0/24": "192.0.2.0/24", "::1": "::1/128", "0.0.0.0/0": "0.0.0.0/0",
		"192.0.2.1/24": "did you mean 192.0.2.0/24?", "::ffff:192.0.2.0/120": "is an IPv4 network", "fe80::1%eth0": "is no network",
		"": "is no network", "example.com": "is no network", "192.0.2.0/33": "is no network", "192.0.2": "is no network",
	} {
		p, err := ParseNetwork(text)
		if err == nil && p.String() != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s, %v; want %q", text, p, err, want)
		}
	}
}

// Whatever a stranger writes: its answer is its own address.
func FuzzClientAddr(f *testing.F) {
	f.Add("198.51.100.7, 10.9.9.9", "203.0.113.9")
	f.Add("[fe80::1%eth0]:80,,", ",")
	trusted := networks(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, line, another string) {
		const peer, stranger = "10.0.0.1:5", "192.0.2.1"
		if got := ClientAddr(stranger+":5", []string{line, another}, trusted); got.String() != stranger {
			t.Errorf("a stranger is taken for %s", got)
		}
		if got := ClientAddr(peer, []string{line, another + "," + stranger}, trusted); got.String() != stranger {
			t.Errorf("a stranger behind a proxy is taken for %s", got)
		}
		if got := ClientAddr(peer, []string{line, another}, trusted); !got.IsValid() || got.Zone() != "" {
			t.Errorf("the client is %s", got)
		}
	})
}
