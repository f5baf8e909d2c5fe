package schemas_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

func contractFiles() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{
		kycv1.File_kyc_v1_event_proto, kycv1.File_kyc_v1_session_proto, kycv1.File_kyc_v1_check_proto,
		kycv1.File_kyc_v1_aml_proto, kycv1.File_kyc_v1_renewal_proto, kycv1.File_kyc_v1_resource_proto,
		kycv1.File_kyc_v1_raw_proto, kycv1.File_kyc_v1_hydrate_proto,
		kycv1.File_kyc_v1_disposition_proto, kycv1.File_kyc_v1_dead_letter_proto,
	}
}

// The whole table, as it is documented. A change here moves data in Kafka.
func TestCatalogue(t *testing.T) {
	want := strings.Fields(`
		kyc.raw.v1=kyc.v1.RawEnvelope/raw_retention/co-partitioned
		kyc.session.v1=kyc.v1.SessionEvent/domain_retention/domain
		kyc.check.v1=kyc.v1.CheckEvent/domain_retention/domain
		kyc.aml.v1=kyc.v1.AmlEvent/domain_retention/domain
		kyc.renewal.v1=kyc.v1.RenewalEvent/domain_retention/domain
		kyc.resource.v1=kyc.v1.ResourceEvent/domain_retention/domain
		kyc.hydrate.v1=kyc.v1.HydrateTask/raw_retention/co-partitioned
		kyc.hydrate.wait.v1=kyc.v1.HydrateTask/raw_retention/co-partitioned
		kyc.disposition.v1=kyc.v1.Disposition/disposition_retention/co-partitioned
		kyc.deadletter.v1=kyc.v1.DeadLetter/deadletter_retention`)
	var got []string
	for _, topic := range schemas.Topics() {
		row := fmt.Sprintf("%s=%s/%s", topic.Name(schemas.DefaultPrefix), topic.Message.ProtoReflect().Descriptor().FullName(), topic.Retention)
		if topic.CoPartitioned {
			row += "/co-partitioned"
		}
		if topic.Domain {
			row += "/domain"
		}
		if topic.Key == "" {
			t.Errorf("%s: the key is not described", topic.Base)
		}
		got = append(got, row)
	}
	if !slices.Equal(got, want) {
		t.Errorf("catalogue:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestTwins: each topic of events, and no other, may have a twin, which is like it but for its name.
func TestTwins(t *testing.T) {
	var got []string
	for _, twin := range schemas.JSONTopics() {
		got = append(got, twin.Base)
		of, ok := schemas.TopicNamed("x.", "x."+twin.TwinOf)
		if again, there := of.Twin(); !ok || !there || again.Base != twin.Base {
			t.Errorf("%s is the twin of %s, the twin of which is %s", twin.Base, twin.TwinOf, again.Base)
		}
		if !twin.Domain || twin.CoPartitioned || twin.Retention != of.Retention || twin.Key != of.Key || fmt.Sprintf("%T", twin.New()) != fmt.Sprintf("%T", of.New()) {
			t.Errorf("%+v is not like %+v", twin, of)
		}
		if found, ok := schemas.TopicNamed("x.", "x."+twin.Base); !ok || found.TwinOf != twin.TwinOf {
			t.Errorf("x.%s is found as %+v, %v", twin.Base, found, ok)
		}
		if more, ok := twin.Twin(); ok {
			t.Errorf("the twin %s has a twin %s", twin.Base, more.Base)
		}
	}
	if want := "session.v1.json check.v1.json aml.v1.json renewal.v1.json resource.v1.json"; strings.Join(got, " ") != want {
		t.Errorf("the twins are %v, want %s", got, want)
	}
	for _, of := range schemas.Topics() {
		if _, ok := of.Twin(); ok != of.Domain || of.TwinOf != "" {
			t.Errorf("%s: has a twin: %v; is one of %q", of.Base, ok, of.TwinOf)
		}
	}
}

// TestTwinOfAnotherVersion: a topic that says the events of another one again in another version has a twin of its own.
func TestTwinOfAnotherVersion(t *testing.T) {
	second := schemas.Topic{Base: "session.v2", Domain: true, TwinOf: schemas.Session}
	if twin, ok := second.Twin(); !ok || twin.Base != "session.v2.json" || twin.TwinOf != "session.v2" || !twin.JSON {
		t.Errorf("the twin of %+v is %+v, %v", second, twin, ok)
	}
}

// Confluent's message index of a topic's message is written as the single 0
// that means the first message of its file.
func TestTopicMessageIsFirstInItsFile(t *testing.T) {
	for _, topic := range schemas.Topics() {
		d := topic.Message.ProtoReflect().Descriptor()
		if first := d.ParentFile().Messages().Get(0); first != d {
			t.Errorf("%s: %s is not the first message in %s, which is %s", topic.Base, d.Name(), d.ParentFile().Path(), first.Name())
		}
	}
}

func TestDomainEventsCarryMetadataFirst(t *testing.T) {
	for _, topic := range schemas.Topics() {
		_, isEvent := topic.Message.(schemas.DomainEvent)
		if isEvent != topic.Domain {
			t.Errorf("%s: Domain is %v, but the message has the header of events: %v", topic.Base, topic.Domain, isEvent)
		}
		field := topic.Message.ProtoReflect().Descriptor().Fields().ByNumber(1)
		if topic.Domain && (field.Name() != "metadata" || field.Message().FullName() != "kyc.v1.EventMetadata") {
			t.Errorf("%s: field 1 is %s, expected metadata", topic.Base, field.FullName())
		}
	}
}

func TestTopicLookups(t *testing.T) {
	for _, topic := range schemas.Topics() {
		if got, ok := schemas.TopicNamed("my.", "my."+topic.Base); !ok || got.Base != topic.Base {
			t.Errorf("TopicNamed(my.%s) = %q, %v", topic.Base, got.Base, ok)
		}
		want := topic.Base
		if want == schemas.HydrateWait {
			want = schemas.Hydrate
		}
		if got, ok := schemas.TopicFor(topic.New()); !ok || got.Base != want {
			t.Errorf("TopicFor(%T) = %q, %v, want %q", topic.Message, got.Base, ok, want)
		}
	}
	for _, name := range []string{"", "kyc.", "raw.v1", "my.raw.v1", "kyc.raw.v1x", "kyc.session"} {
		if got, ok := schemas.TopicNamed(schemas.DefaultPrefix, name); ok {
			t.Errorf("TopicNamed(%q) = %q, want none", name, got.Base)
		}
	}
	for _, m := range []proto.Message{nil, &kycv1.Subject{}, &configv1.Config{}} {
		if got, ok := schemas.TopicFor(m); ok {
			t.Errorf("TopicFor(%T) = %q, want none", m, got.Base)
		}
	}
}

func TestCallersCannotChangeTheCatalogue(t *testing.T) {
	schemas.Topics()[0].Base = "spoiled"
	if got := schemas.Topics()[0].Base; got != schemas.Raw {
		t.Errorf("the first topic is now %q", got)
	}
}

// Enum values carry their enum's name and begin with an UNSPECIFIED 0, in the
// generated names that consumers compile against.
func TestEnumsBeginUnspecified(t *testing.T) {
	for _, file := range contractFiles() {
		for i := range file.Enums().Len() {
			e := file.Enums().Get(i)
			zero := e.Values().ByNumber(0)
			if zero == nil || !strings.HasSuffix(string(zero.Name()), "_UNSPECIFIED") {
				t.Errorf("%s has no _UNSPECIFIED = 0", e.FullName())
			}
		}
	}
}

func TestEveryLanguageHasItsPackage(t *testing.T) {
	for _, file := range contractFiles() {
		o, ok := file.Options().(interface {
			GetJavaPackage() string
			GetJavaMultipleFiles() bool
			GetCsharpNamespace() string
		})
		if !ok || o.GetJavaPackage() != "com.kycbridge.kyc.v1" || !o.GetJavaMultipleFiles() || o.GetCsharpNamespace() != "Kycbridge.Kyc.V1" {
			t.Errorf("%s: java_package, java_multiple_files or csharp_namespace is not what it was released with", file.Path())
		}
	}
}

// The class that Java makes of a file has a name that no message can take: by default a file that gets a message
// named like itself has its class renamed, and those of two files can be the same.
func TestJavaClassesOfFilesAreNamed(t *testing.T) {
	for _, file := range contractFiles() {
		var want strings.Builder
		for word := range strings.SplitSeq(strings.TrimSuffix(path.Base(file.Path()), ".proto"), "_") {
			want.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		want.WriteString("Proto")
		o, ok := file.Options().(interface{ GetJavaOuterClassname() string })
		if !ok || o.GetJavaOuterClassname() != want.String() {
			t.Errorf("%s: java_outer_classname must be %q", file.Path(), want.String())
		}
	}
}
