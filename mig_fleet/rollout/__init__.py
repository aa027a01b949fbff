"""How a wave is changed without hurting anyone: who is in it, who is in the way, what happens when it goes wrong."""
