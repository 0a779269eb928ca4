"""Data sets by name. Every loader takes the folder of embedded raw data and returns a `Table` in the data's own units."""

from lib.data import embedded, public

DATASETS = {
    "diabetes": embedded.diabetes,
    "flights": embedded.flights,
    "weather": embedded.weather,
    "breast_cancer": embedded.breast_cancer,
    "wine": embedded.wine,
    "digits": embedded.digits,
    "rotated_digits": embedded.rotated_digits,
    "mnist_digits": embedded.mnist_digits,
    "twelve_bit": embedded.twelve_bit_table,
    "california_housing": public.california_housing,
    "bike_sharing": public.bike_sharing,
    "beijing_pm25": public.beijing_pm25,
    "appliances_energy": public.appliances_energy,
    "mnist": public.mnist,
    "fashion_mnist": public.fashion_mnist,
    "rotated_mnist": public.rotated_mnist,
}
