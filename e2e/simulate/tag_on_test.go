//go:build synctests

package simulate

// tagged says that franz-go's locks are of the kind a bubble can wait for.
const tagged = true
