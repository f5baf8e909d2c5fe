package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// webhook is a signed request as it goes over a connection: made before the measurement, it costs
// no time within.
type webhook struct {
	id   string // the vendor's, of the event
	wire []byte
}

// Most webhooks are of this size.
const leastBody, mostBody = 450, 650

// usualMix is ComplyCube's webhooks of the usual size.
func usualMix() (*mix, error) {
	m, err := newMix("complycube")
	if err != nil {
		return nil, err
	}
	return m, m.keep(leastBody, mostBody)
}

// keep leaves those fixtures whose bodies have from least to most bytes.
func (m *mix) keep(least, most int) error {
	for v := range m.good {
		m.good[v] = slices.DeleteFunc(m.good[v], func(f providers.Fixture) bool { return len(f.Body) < least || len(f.Body) > most })
		if len(m.good[v]) == 0 {
			return fmt.Errorf("%s has no fixture of %d to %d bytes", m.vendors[v].Name, least, most)
		}
	}
	return nil
}

// webhooks makes deliveries first to first+n-1.
func (m *mix) webhooks(first, n int) ([]webhook, error) {
	key, err := auth.NewSecret("primary", []byte(secret), time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	all := make([]webhook, n)
	for i := range all {
		if all[i], err = m.webhook(first+i, key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (m *mix) webhook(n int, key auth.Secret) (webhook, error) {
	p, f, body := m.delivery(n)
	wire, err := signed(p, key, m.endpoint(n, p), f.Headers, padded(body, m.length))
	if err != nil {
		return webhook{}, err
	}
	_, body, _ = bytes.Cut(wire, []byte("\r\n\r\n"))
	var event struct{ ID string }
	if err := json.Unmarshal(body, &event); err != nil {
		return webhook{}, fmt.Errorf("fixture %s: %w", f.Name, err)
	}
	return webhook{id: event.ID, wire: wire}, nil
}

// signed is a request of a vendor with one proof, as it goes over a connection.
func signed(p *providers.Provider, key auth.Secret, endpoint string, header http.Header, body []byte) ([]byte, error) {
	if header = header.Clone(); header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	proved := auth.Request{Header: header, Body: body}
	p.Scheme.Sign(key, &proved)
	r, err := http.NewRequest(http.MethodPost, "http://bench/hooks/"+endpoint, bytes.NewReader(proved.Body))
	if err != nil {
		return nil, err
	}
	r.Header = header
	var wire bytes.Buffer
	err = r.Write(&wire)
	return wire.Bytes(), err
}

// forged is the same request with another byte in its body, under the signature of the first.
func (h webhook) forged() (webhook, error) {
	_, body, ok := bytes.Cut(h.wire, []byte("\r\n\r\n"))
	if !ok || len(body) == 0 {
		return webhook{}, fmt.Errorf("webhook %s has no body: %w", h.id, io.ErrUnexpectedEOF)
	}
	wire := bytes.Clone(h.wire)
	wire[len(wire)-len(body)/2] ^= 1
	return webhook{id: h.id, wire: wire}, nil
}

func forgeries(all []webhook) ([]webhook, error) {
	forged := make([]webhook, len(all))
	var err error
	for i, h := range all {
		if forged[i], err = h.forged(); err != nil {
			return nil, err
		}
	}
	return forged, nil
}
