"""How a rollout stands, and why it fails: said from the objects of the cluster alone. Pure; `progress.judge` is the way in."""
