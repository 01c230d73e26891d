"""Images: CIFAR archives, augmentation, networks, training, the champion. The only home of keras."""
