package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// readClaims reads what a token says of itself. JSON leaves open what two members of one name mean, and
// encoding/json takes any case of a name for a field's, so a token may say one thing to its signer and
// another to us: a claim counts under exactly its name, once, in the form that RFC 7519 gives it. A time is
// a whole number of seconds up to the year 9999.
func readClaims(p payload) (claims jwt.RegisteredClaims, err error) {
	members, err := membersOnce(p)
	if err != nil {
		return claims, err
	}
	if claims.Issuer, err = textClaim(members, "iss"); err != nil {
		return claims, err
	}
	if claims.Audience, err = audienceClaim(members); err != nil {
		return claims, err
	}
	for name, to := range map[string]**jwt.NumericDate{"exp": &claims.ExpiresAt, "nbf": &claims.NotBefore, "iat": &claims.IssuedAt} {
		if *to, err = timeClaim(members, name); err != nil {
			return claims, err
		}
	}
	return claims, nil
}

var errClaims = errors.New("the claims are not one JSON object")

// membersOnce reads one object, each of whose members must be there once.
func membersOnce(p payload) (map[string]json.RawMessage, error) {
	in := json.NewDecoder(bytes.NewReader(p))
	if open, err := in.Token(); err != nil || open != json.Delim('{') {
		return nil, errClaims
	}
	members := make(map[string]json.RawMessage)
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, errClaims
		}
		text := name.(string) // inside an object, the decoder gives nothing else before a value
		if _, twice := members[text]; twice {
			return nil, errors.New("a claim is there twice")
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil, errClaims
		}
		members[text] = value
	}
	if end, err := in.Token(); err != nil || end != json.Delim('}') || in.More() {
		return nil, errClaims
	}
	return members, nil
}

// textClaim is "" where the claim is missing.
func textClaim(members map[string]json.RawMessage, name string) (text string, err error) {
	value, ok := members[name]
	if !ok {
		return "", nil
	}
	if value[0] != '"' || json.Unmarshal(value, &text) != nil {
		return "", fmt.Errorf("the claim %s is no text", name)
	}
	return text, nil
}

// audienceClaim is one text or a list of them.
func audienceClaim(members map[string]json.RawMessage) (jwt.ClaimStrings, error) {
	value, ok := members["aud"]
	switch {
	case !ok:
		return nil, nil
	case value[0] == '"':
		one, err := textClaim(members, "aud")
		return jwt.ClaimStrings{one}, err
	}
	var items []json.RawMessage
	if value[0] != '[' || json.Unmarshal(value, &items) != nil {
		return nil, errors.New("the claim aud is neither a text nor a list")
	}
	all := make(jwt.ClaimStrings, len(items))
	for i, item := range items {
		if item[0] != '"' || json.Unmarshal(item, &all[i]) != nil {
			return nil, errors.New("the claim aud has an item that is no text")
		}
	}
	return all, nil
}

// lastSecond is the end of the year 9999: what is later is no date of a token.
const lastSecond = 253402300799

// timeClaim is nil where the claim is missing.
func timeClaim(members map[string]json.RawMessage, name string) (*jwt.NumericDate, error) {
	value, ok := members[name]
	if !ok {
		return nil, nil
	}
	seconds, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || seconds < 0 || seconds > lastSecond || value[0] == '-' {
		return nil, fmt.Errorf("the claim %s is no whole number of seconds", name)
	}
	return jwt.NewNumericDate(time.Unix(seconds, 0)), nil
}
