package dev

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/kycbridge/kycbridge/internal/origin"
)

// guard keeps web pages away from every address of `dev`, whose secrets everybody knows:
// requests must name this machine, or a host that was allowed, and come from no browser
// that shows another site. Nobody but Kafka clients and Redis's own speaks to the other two.
func (o Options) guard() *origin.Guard {
	g := &origin.Guard{
		Names: o.Hosts, ThisMachine: true,
		Advice: ": kycbridge dev answers to localhost and loopback addresses; for a tunnel or a proxy, start it with --allow-host and the name",
	}
	for _, addr := range []string{o.Listen, o.Admin} {
		host, _, err := net.SplitHostPort(addr)
		if ip := net.ParseIP(host); err == nil && host != "" && !ip.IsUnspecified() {
			g.Names = append(g.Names, host)
		}
	}
	return g
}

// checkExposure refuses addresses that other machines can reach, unless that was asked for.
func (o Options) checkExposure(ctx context.Context) error {
	if o.Expose {
		return nil
	}
	for _, at := range []struct{ flag, addr string }{{"--listen", o.Listen}, {"--admin", o.Admin}, {"--kafka", o.Kafka}} {
		host, _, err := net.SplitHostPort(at.addr)
		if err != nil {
			return fmt.Errorf("%s is %q; expected an address such as 127.0.0.1:8080", at.flag, at.addr)
		}
		if !loopback(ctx, host) {
			return fmt.Errorf("%s %s can be reached from other machines, and everybody knows the secrets of kycbridge dev: use 127.0.0.1, with a tunnel for a vendor's sandbox, or pass --expose", at.flag, at.addr)
		}
	}
	return nil
}

// loopback reports whether a host is this machine and nothing else. A name that has no
// address is left to whoever listens there.
func loopback(ctx context.Context, host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	if host == "" {
		return false // every address
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return true
	}
	for _, ip := range all {
		if !ip.Unmap().IsLoopback() {
			return false
		}
	}
	return true
}
