package hydrate

import (
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// The configured addresses come first, then the vendor's of the environment, then its only ones.
func TestAddresses(t *testing.T) {
	const live, sandbox = kycv1.Environment_ENVIRONMENT_LIVE, kycv1.Environment_ENVIRONMENT_SANDBOX
	secrets := Credentials{Scheme: providers.APIClientCredentials, ClientID: "c", ClientSecret: secret.Of("s")}
	for _, c := range []struct {
		environment   kycv1.Environment
		hasSandbox    bool
		own, ownToken string
		base, token   string
	}{
		{live, true, "", "", "https://v.invalid", "https://v.invalid/token"},
		{sandbox, true, "", "", "https://sandbox.invalid", "https://sandbox.invalid/token"},
		{sandbox, false, "", "", "https://v.invalid", "https://v.invalid/token"},
		{sandbox, true, "https://own.invalid", "https://own.invalid/token", "https://own.invalid", "https://own.invalid/token"},
	} {
		p := vendor()
		p.Hydration.BaseURL, p.Hydration.Auth.TokenURL = "https://v.invalid", "https://v.invalid/token"
		if c.hasSandbox {
			p.Hydration.SandboxURL, p.Hydration.Auth.SandboxTokenURL = "https://sandbox.invalid", "https://sandbox.invalid/token"
		}
		a, err := newAccount(Endpoint{Provider: p, Environment: c.environment, BaseURL: c.own, TokenURL: c.ownToken, Credentials: secrets}, Options{}.withDefaults())
		if err != nil || a.baseURL != c.base || a.tokenURL != c.token {
			t.Errorf("%+v: asks %v (%v)", c, a, err)
		}
	}
}

func TestWhichAddressesAreTaken(t *testing.T) {
	for address, want := range map[string]struct{ outside, internal bool }{
		"https://api.v.invalid/v1":   {true, true},
		"http://api.v.invalid":       {false, true},
		"ftp://api.v.invalid":        {false, false},
		"https://user@api.v.invalid": {false, false},
		"https://api.v.invalid?a=b":  {false, false},
		"https://api.v.invalid#a":    {false, false},
		"https:///things":            {false, false},
		"https://api.v.invalid/%zz":  {false, false},
		"":                           {false, false},
	} {
		outside, internal := checkURL("base_url", address, false) == nil, checkURL("base_url", address, true) == nil
		if outside != want.outside || internal != want.internal {
			t.Errorf("%q is taken = %v, %v where it may be internal; expected %v", address, outside, internal, want)
		}
	}
}

func TestWhichCredentialsAreComplete(t *testing.T) {
	for want, all := range map[bool][]Credentials{
		true: {
			{Key: secret.Of("k")}, {Scheme: providers.APIBearer, Key: secret.Of("k")}, {Scheme: providers.APIBasic, User: "u", Password: secret.Of("p")},
			{Scheme: providers.APIClientCredentials, ClientID: "c", ClientSecret: secret.Of("s")},
		},
		false: {
			{}, {Key: secret.Of("a key")}, {Key: secret.Of("k\n")}, {Scheme: providers.APIBearer}, {Scheme: providers.APIBasic, User: "u"}, {Scheme: providers.APIBasic, Password: secret.Of("p")},
			{Scheme: providers.APIClientCredentials, ClientID: "c"}, {Scheme: providers.APIClientCredentials, ClientSecret: secret.Of("s")},
		},
	} {
		for i, c := range all {
			a := account{Endpoint: Endpoint{Credentials: c}, tokenURL: "https://v.invalid/token"}
			if err := a.checkCredentials(); (err == nil) != want {
				t.Errorf("number %d of those that are complete = %v: %v", i, want, err)
			}
		}
	}
}

// The configured rate is what the operator wants, the interval what the vendor allows.
func TestTheLowerRateCounts(t *testing.T) {
	p := vendor()
	p.Hydration.Interval = time.Second
	for rate, want := range map[float64]float64{10: 1, 0.5: 0.5} {
		a, err := newAccount(Endpoint{Provider: p, Credentials: Credentials{Key: secret.Of("k")}}, Options{Rate: rate}.withDefaults())
		if err != nil || float64(a.limiter.Limit()) != want {
			t.Errorf("%v requests a second: %v are made (%v), expected %v", rate, a.limiter.Limit(), err, want)
		}
	}
}

func TestWhoIsTheSameCustomer(t *testing.T) {
	of := func(change func(*account)) customer {
		a := &account{Endpoint: Endpoint{Name: "a", Provider: vendor(), Credentials: Credentials{Key: secret.Of("k")}}, baseURL: "b", tokenURL: "t"}
		change(a)
		return a.customer()
	}
	one := of(func(*account) {})
	if of(func(a *account) { a.Name = "b" }) != one {
		t.Error("two endpoints with the same credentials are two customers")
	}
	for name, change := range map[string]func(*account){
		"vendor": func(a *account) { a.Provider.Name = "w" }, "address": func(a *account) { a.baseURL = "c" },
		"token address": func(a *account) { a.tokenURL = "u" }, "key": func(a *account) { a.Credentials.Key = secret.Of("l") },
	} {
		if of(change) == one {
			t.Errorf("with another %s it is the same customer", name)
		}
	}
}
