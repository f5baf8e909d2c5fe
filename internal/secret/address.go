package secret

import (
	"errors"
	"net/url"
	"strings"
)

// shortest is the length in bytes from which a value of a query is looked for in errors: replacing "1" would make
// nonsense of them.
const shortest = 8

// Address shows an address: scheme, host and path. User, password, query and fragment may be secret and are left out.
func Address(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "(no address)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// failure is an error whose text shows nothing secret of an address.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

// Failure is the error of a request without the address, which net/http quotes whole, and without what the
// rest of it repeats of the address's password and query, as servers' answers may. nil stays nil.
func Failure(err error, address string) error {
	if err == nil {
		return nil
	}
	if asked := (*url.Error)(nil); errors.As(err, &asked) {
		err = asked.Err
	}
	return &failure{text: without(err.Error(), address), err: err}
}

// without masks in a text what is secret of an address.
func without(text, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return strings.ReplaceAll(text, address, Mask)
	}
	parts := []string{u.RawQuery}
	for _, values := range u.Query() {
		for _, v := range values {
			if len(v) >= shortest {
				parts = append(parts, v, url.QueryEscape(v))
			}
		}
	}
	if password, ok := u.User.Password(); ok {
		parts = append(parts, u.User.String(), password)
	}
	for _, part := range parts {
		if part != "" {
			text = strings.ReplaceAll(text, part, Mask)
		}
	}
	return text
}
