"""Provider ``local``: an ImageNet classifier and a text encoder that need no key, no network and no GPU.

A picture's vector is where the names of the classes seen in it lie in the text encoder's space (ConSE), so that
pictures and texts can be compared. It knows objects; it knows no people, actions or scenes.
"""
