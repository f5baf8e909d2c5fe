package config

import (
	"maps"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/config/generated"
	"github.com/kycbridge/kycbridge/internal/contract/ruletest"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// The precheck is held against protovalidate over valid configurations of which one thing is changed.
var suite = ruletest.Suite{
	Package: "kycbridge.config.v1", Valid: generated.Valid, Full: fullConfigs, Small: smallConfigs,
	Implied: []string{ // by what they must outlive, which has the same limit
		"kycbridge.config.v1.Topics.disposition_retention duration.gte",
		"kycbridge.config.v1.Dedupe.ttl duration.gte",
	},
}

func TestFullConfigsAreFull(t *testing.T) { suite.FullMessages(t) }

func TestPrecheckAgreesOnEveryField(t *testing.T) { suite.Fields(t) }

// A valid configuration compiles no rules: that would be tens of thousands of allocations.
func TestValidCompilesNothing(t *testing.T) {
	const few = 500
	for _, m := range fullConfigs() {
		c := m.(*configv1.Config)
		allocations := testing.AllocsPerRun(1, func() {
			f := &file{}
			if err := f.validate(c); err != nil || len(f.problems) > 0 {
				t.Errorf("error %v, problems %v", err, f.problems)
			}
		})
		if allocations > few {
			t.Errorf("validating takes %v allocations", allocations)
		}
	}
}

func FuzzValid(f *testing.F) { suite.Fuzz(f) }

func TestEveryMessageHasRules(t *testing.T) { suite.EveryMessageHasRules(t) }

// What a rule says goes to logs and terminals.
func TestRuleMessagesAreFixedTexts(t *testing.T) { suite.RuleMessagesAreFixedTexts(t) }

// whole is what is tried of one rule of a message as a whole: changes to a full configuration that break it
// and nothing else, and some that break nothing.
type whole struct {
	of            func() *configv1.Config
	breaks, keeps []func(*configv1.Config)
}

func TestPrecheckAgreesOnMessagesAsAWhole(t *testing.T) {
	cases := map[string]whole{} // by the id of the rule
	for _, some := range []map[string]whole{kafkaWholes(), redisWholes(), registryWholes(), stageWholes(), endpointWholes()} {
		maps.Copy(cases, some)
	}
	for id, c := range cases {
		suite.Whole(t, id, changed(c.of, c.breaks), changed(c.of, c.keeps))
	}
	for _, id := range suite.WholeRules() {
		if _, ok := cases[id]; !ok {
			t.Errorf("the rule %s is not tried: add configurations that break it", id)
		}
	}
}

func changed(of func() *configv1.Config, changes []func(*configv1.Config)) (all []proto.Message) {
	for _, change := range changes {
		c := of()
		change(c)
		all = append(all, c)
	}
	return all
}
