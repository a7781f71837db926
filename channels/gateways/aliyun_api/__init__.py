"""What simulated services of Dysmsapi (version 2017-05-25) share: signatures, limits, refusals, pushes."""
