package contract

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// EnumPrefix is how the names of all values of an enum begin: "DECISION_".
func EnumPrefix(e protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(e.Values().ByNumber(0).Name()), "UNSPECIFIED")
}

// EnumWord is a value without the name of its enum, as people are shown it: APPROVED for
// DECISION_APPROVED, the number for one that this version does not know.
func EnumWord(e protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	v := e.Values().ByNumber(n)
	if v == nil {
		return fmt.Sprint(n)
	}
	return strings.TrimPrefix(string(v.Name()), EnumPrefix(e))
}
