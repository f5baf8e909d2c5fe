package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/internal/config/rules"
)

func TestSplitDefault(t *testing.T) {
	for text, want := range map[string][2]string{
		"Time to read. Default 15s.":                  {"Time to read.", "15s"},
		"The prefix. Default \"kyc.\". Another moves": {"The prefix. Another moves", "\"kyc.\""},
		"Default: none.":                              {"", "none"},
		"Where. Required.":                            {"Where.", "required"},
		"Proof. Several may be. Required, 1 to 8.":    {"Proof. Several may be.", "required, 1 to 8"},
		"The default is told elsewhere.":              {"The default is told elsewhere.", "–"},
		"":                                            {"", "–"},
	} {
		meaning, standard := splitDefault(text)
		if meaning != want[0] || standard != want[1] {
			t.Errorf("splitDefault(%q) = %q, %q; want %q, %q", text, meaning, standard, want[0], want[1])
		}
	}
}

// A configuration with one of each: a section, a list, an enum, a rule.
const image = `file {
  name: "c.proto" package: "kycbridge.config.v1" syntax: "proto3"
  message_type {
    name: "Config"
    field { name: "mode" number: 1 type: TYPE_ENUM type_name: ".kycbridge.config.v1.Mode" label: LABEL_OPTIONAL }
    field { name: "parts" number: 2 type: TYPE_MESSAGE type_name: ".kycbridge.config.v1.Part" label: LABEL_REPEATED }
  }
  message_type {
    name: "Part"
    field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL
      options { [buf.validate.field] { cel { id: "p" message: "must be a|b" expression: "true" } } } }
    options { [buf.validate.message] { cel { id: "q" message: "no two parts" expression: "true" } } }
  }
  enum_type { name: "Mode" value { name: "MODE_UNSPECIFIED" number: 0 } value { name: "MODE_FAST" number: 1 } }
  source_code_info {
    location { path: 2 span: [0, 0, 1] leading_comments: " The file.\n It is short.\n" }
    location { path: [4, 0, 2, 0] span: [1, 0, 1] leading_comments: " How. Default\n MODE_FAST.\n" }
    location { path: [4, 0, 2, 1] span: [2, 0, 1] leading_comments: " Its parts.\n" }
    location { path: [4, 1] span: [3, 0, 1] leading_comments: " Part is one.\n" }
    location { path: [4, 1, 2, 0] span: [4, 0, 1] leading_comments: " Its name. Required.\n" }
    location { path: [5, 0] span: [5, 0, 1] leading_comments: " Mode is how.\n" }
    location { path: [5, 0, 2, 1] span: [6, 0, 1] leading_comments: " Quickly.\n" }
  }
}`

const reference = `<!-- Written by ''make proto'' from proto/c.proto and internal/config/rules; change it there. -->

# Configuration

The file.
It is short.

| Key | Type | Default | Meaning |
| --- | --- | --- | --- |
| ''mode'' | enum | MODE_FAST | How. |
| ''parts'' | list of sections | – | Its parts. |

Mode is how:

* ''MODE_FAST'': Quickly.

## ''parts[]''

Part is one.

| Key | Type | Default | Meaning |
| --- | --- | --- | --- |
| ''name'' | string | required | Its name. Must be a\|b. |

Checked:

* no two parts
` + wholeText + `| ''x.open'' | refused | – | a\|b get in | shut it |
` + settingText + `| ''q'' | ''parts[]'' | no two parts |
| ''p'' | ''parts[].name'' | must be a\|b |
`

func TestDocument(t *testing.T) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := prototext.Unmarshal([]byte(image), set); err != nil {
		t.Fatal(err)
	}
	wire, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := run(strings.NewReader(string(wire)), &got, []rules.Rule{{ID: "x.open", Live: rules.Refused, Why: "a|b get in", Write: "shut it"}}); err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(reference, "''", "`"); got.String() != want {
		t.Errorf("wrote:\n%s\nwant:\n%s", got.String(), want)
	}
}

func TestRunRefusesOtherInput(t *testing.T) {
	for name, input := range map[string]string{"nothing": "", "no image": "\x01\x02\x03"} {
		if err := run(strings.NewReader(input), &strings.Builder{}, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
