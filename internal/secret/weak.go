package secret

import "strings"

// DevPrefix begins the built-in secrets of `kycbridge dev`. They are public.
const DevPrefix = "dev-secret-"

// DevKey is the built-in credential for the vendors' APIs that `kycbridge dev` plays.
const DevKey = "dev-key"

// placeholders begin what people write until they have a secret, without regard to case and punctuation.
var placeholders = []string{"changeme", "changethis", "replaceme", "placeholder", "yoursecret", "yourpassword"}

// Weak says why anybody might know a secret, as a clause; "" where nothing says so. It takes a text with a colon as
// user and password too.
func (v Value) Weak() string {
	text := v.Reveal()
	if why := weak(text); why != "" || text == "" {
		return why
	}
	_, password, _ := strings.Cut(text, ":")
	return weak(password)
}

func weak(text string) string {
	plain := strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(strings.ToLower(text))
	switch {
	case text == "":
		return ""
	case strings.HasPrefix(text, DevPrefix), text == DevKey:
		return "is a secret of `kycbridge dev`, which everybody knows"
	case repeats(text):
		return "is one short text over and over"
	}
	for _, p := range placeholders {
		if strings.HasPrefix(plain, p) {
			return "is a placeholder"
		}
	}
	return ""
}

// repeats reports whether a text is made of at most four characters in a row, three times or more.
func repeats(text string) bool {
	for period := 1; period <= 4 && 3*period <= len(text); period++ {
		if text[period:] == text[:len(text)-period] {
			return true
		}
	}
	return false
}
