package contract_test

import (
	"testing"

	"github.com/kycbridge/kycbridge/internal/contract/generated"
	"github.com/kycbridge/kycbridge/internal/contract/ruletest"
)

var suite = ruletest.Suite{Package: "kyc.v1", Valid: generated.Valid, Full: fullMessages, Small: smallMessages}

func TestFullMessagesAreFull(t *testing.T) { suite.FullMessages(t) }

func TestPrecheckAgreesOnEveryField(t *testing.T) { suite.Fields(t) }

func TestPrecheckAgreesOnMessagesAsAWhole(t *testing.T) {
	cases := wholeCases()
	for id, c := range cases {
		suite.Whole(t, id, c.breaks, c.keeps)
	}
	for _, id := range suite.WholeRules() {
		if _, ok := cases[id]; !ok {
			t.Errorf("the rule %s is not tried: add messages that break it", id)
		}
	}
}

func FuzzValid(f *testing.F) { suite.Fuzz(f) }

func TestEveryMessageHasRules(t *testing.T) { suite.EveryMessageHasRules(t) }

// A violation is logged and kept in dead letters.
func TestRuleMessagesAreFixedTexts(t *testing.T) { suite.RuleMessagesAreFixedTexts(t) }
