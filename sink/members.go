package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Members counts the members of a group, the killed ones included whose session has not ended yet. The
// group's name is scoped.
func (r *Reader) Members(ctx context.Context, group string) (int, error) {
	name := r.opts.Scoped(group)
	var found kadm.DescribedGroup
	err := patiently(ctx, func() error {
		described, err := r.admin.DescribeGroups(ctx, name)
		if err != nil {
			return err
		}
		found = described[name]
		return found.Err
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("members of group %s: %w", name, err)
	}
	return len(found.Members), nil
}
