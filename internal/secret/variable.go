package secret

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// name is what a variable may be called.
const name = `[A-Za-z_][A-Za-z0-9_]*`

var (
	alone       = regexp.MustCompile(`^\$\{(` + name + `)\}$`)
	withDefault = regexp.MustCompile(`^\$\{` + name + `:-`)
	bare        = regexp.MustCompile(`^\$` + name + `$`)
	left        = regexp.MustCompile(`^\$(` + name + `|\{.*\})$`)
)

// FromVariable gives what the one variable that text names, as ${NAME}, holds. Errors say what to write instead,
// and quote nothing but the name of a variable: text may be a secret.
func FromVariable(text string, lookup func(name string) (value string, ok bool)) (string, error) {
	reference := alone.FindStringSubmatch(text)
	if reference == nil {
		return "", errors.New(instead(text))
	}
	value, ok := lookup(reference[1])
	if !ok || value == "" {
		return "", fmt.Errorf("the variable %s is not set or empty; set it to the secret", reference[1])
	}
	if what := fault(value); what != "" {
		return "", fmt.Errorf("the variable %s %s: set it to the secret and nothing else", reference[1], what)
	}
	return value, nil
}

// instead says what to write for a text that is not one variable.
func instead(text string) string {
	switch {
	case withDefault.MatchString(text):
		return "gives a default, which would be a secret in the file: write ${NAME} alone"
	case bare.MatchString(text):
		return "is a name without braces, which is no variable but would be the secret itself: write ${NAME}"
	case strings.Contains(text, "${"):
		return "is not one variable alone: put the whole secret into one, named with letters, digits and underscores, and write ${NAME}"
	}
	return "holds the secret itself: write ${NAME} and put the secret into the environment, or name a file"
}
