"""Lists and figures that the API and the console share; every one of them takes the actor's scope.

Visible are things of the actor's subtree. Campaigns, templates and segments of the units above are visible
too, because they concern the subtree, but only figures of the subtree are told and nothing can be changed.
What belongs to sisters is never visible.
"""
