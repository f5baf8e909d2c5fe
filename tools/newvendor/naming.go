package main

import (
	"fmt"
	"go/token"
	"go/types"
	"net/textproto"
	"regexp"
	"strings"
)

// naming is how a vendor is called.
type naming struct {
	name  string // folder, configuration, metadata.provider
	title string // as people write it
}

// maxName leaves room for what follows the name in names of endpoints, such as -bearer:
// those have 63 characters.
const maxName = 48

var (
	nameForm  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	titleForm = regexp.MustCompile(`^[\p{L}\p{N}]([\p{L}\p{N} .,&()+'-]{0,58}[\p{L}\p{N}.)+])?$`)
)

// unusable are names with a meaning of their own: to the go command as folders or
// packages, or in the catalogue's file.
var unusable = map[string]bool{"main": true, "internal": true, "vendor": true, "testdata": true, "documentation": true, "providers": true}

// nameOf refuses what is no name of a vendor or of its package, and no title.
func nameOf(name, title string) (naming, error) {
	n := naming{name, title}
	switch {
	case !nameForm.MatchString(name) || len(name) > maxName:
		return n, fmt.Errorf("NAME is %q; want at most %d lower-case letters and digits, a letter first, words joined by -, such as zenith", name, maxName)
	case unusable[n.pkg()] || token.IsKeyword(n.pkg()) || types.Universe.Lookup(n.pkg()) != nil:
		return n, fmt.Errorf("NAME is %q, which means something else to Go; want a name that can be a package, such as zenith", name)
	case !titleForm.MatchString(title):
		return n, fmt.Errorf("TITLE is %q; want the vendor as people write it, such as \"Zenith ID\": at most 60 letters, digits, blanks and .,&()+'-", title)
	}
	return n, nil
}

// pkg is the name of the Go package.
func (n naming) pkg() string { return strings.ReplaceAll(n.name, "-", "") }

// rename turns the example's names into these.
func (n naming) rename(text string) string {
	return strings.NewReplacer(
		"package acme", "package "+n.pkg(),
		"Package acme", "Package "+n.pkg(),
		"Acme Identity", n.title,
		"Acme-Signature", textproto.CanonicalMIMEHeaderKey(n.name+"-signature"),
		"ACME", strings.ToUpper(strings.ReplaceAll(n.name, "-", "_")),
		"acme", n.name,
	).Replace(text)
}
