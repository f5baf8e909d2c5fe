package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Networks is a list of addresses that may send. It is a second factor: an
// address proves no sender, and lists of vendors age.
type Networks struct{ Allow []netip.Prefix }

var _ Scheme = Networks{}

// Verify looks at Request.Client. An address that is not known is not allowed.
func (n Networks) Verify(_ []Secret, r Request) (string, error) {
	if !Contains(n.Allow, r.Client) {
		return "", fmt.Errorf("%w: it is in none of %d networks", ErrForbidden, len(n.Allow))
	}
	return "", nil
}

// Sign does nothing: nobody chooses its address.
func (n Networks) Sign(Secret, *Request) {}

// Traits: there is no secret, and the body may be anything.
func (n Networks) Traits() Traits {
	return Traits{Kind: KindNetworks, Setting: "allow_from", Keyless: true, SecondFactor: true}
}

// ParseNetwork reads "192.0.2.0/24", "2001:db8::/32" or a single address. Bits
// beyond the mask must be zero: a network with others is likely a typo.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, fmt.Errorf("%q is no network; write it like 192.0.2.0/24 or 2001:db8::/32", text)
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%q is an IPv4 network written as IPv6; write it like 192.0.2.0/24", text)
	case p != p.Masked():
		return p, fmt.Errorf("%q has bits beyond its mask; did you mean %s?", text, p.Masked())
	}
	return p, nil
}

// ClientAddr is who sent a request: the TCP peer, or, if that is a trusted
// proxy, whoever the proxies say they got it from. It walks the header's entries
// from the right, that is from the nearest proxy, and stops at the first address
// that is not trusted: what stands further left was written by a stranger.
// Anything unreadable on the way gives the peer. The zero address means that even
// the peer cannot be read.
//
// peer is "address:port" as in http.Request.RemoteAddr; forwarded are the values
// of X-Forwarded-For in the order of their lines.
func ClientAddr(peer string, forwarded []string, trusted []netip.Prefix) netip.Addr {
	from := address(peer)
	if len(forwarded) == 0 || !Contains(trusted, from) {
		return from
	}
	client, rest := from, strings.Join(forwarded, ",")
	for more := true; more && Contains(trusted, client); {
		var entry string
		if at := strings.LastIndexByte(rest, ','); at >= 0 {
			rest, entry = rest[:at], rest[at+1:]
		} else {
			entry, more = rest, false
		}
		if client = address(strings.TrimSpace(entry)); !client.IsValid() {
			return from
		}
	}
	return client
}

// address reads an address with or without a port, and drops the zone, which
// means something on another machine only. An IPv4 address in IPv6 is IPv4.
func address(text string) netip.Addr {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.Addr().WithZone("").Unmap()
	}
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text = text[1 : len(text)-1]
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.WithZone("").Unmap()
}

// Contains reports whether one of the networks has the address.
func Contains(networks []netip.Prefix, a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
