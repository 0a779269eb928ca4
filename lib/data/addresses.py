"""Where public data sets come from: address, hash of every file, licence and citation. lib.data.sources fetches them."""

from typing import NamedTuple

GITHUB = "https://raw.githubusercontent.com"
CIFAR_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
LABO_CIFAR10 = "datasets__CIFAR10__concepts__class2concepts.json"  # as mirrors name it, which keep no folders


class Source(NamedTuple):
    """Where a public data set comes from."""

    base: str  # URL that the file names are appended to
    files: dict[str, str]  # file name -> sha256, or "gitblob:" or "md5:" and the hash of that kind
    licence: str
    citation: str  # key in references.bib
    paths: dict[str, str] | None = None  # file name -> where it lies under base, or in the archive, if not by its name
    archive: tuple[str, str] | None = None  # name under base and sha256 of a tar that holds the files


SOURCES = {
    "california_housing": Source(
        f"{GITHUB}/lapets/course-data-science/8b7f62812de4e3bd86bbc7879f65691e1775d1c9/",
        {"cal_housing.data": "d3d8a1a722ae78f91134862727d27a70b1415e7d512a89140406248687f4b902"},
        "none stated (StatLib)",
        "pace1997sparse",
    ),
    "bike_sharing": Source(
        f"{GITHUB}/udacity/deep-learning-v2-pytorch/c9404fc86181fc3f0906b368697268257f348535/project-bikesharing/Bike-Sharing-Dataset/",
        {"hour.csv": "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f"},
        "CC BY 4.0",
        "fanaee2014event",
    ),
    "beijing_pm25": Source(
        f"{GITHUB}/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/",
        {"pollution.csv": "892e9559205d16d32623135c127a3951c12e46ea1e0b3093e107ce89a9fd60e2"},
        "CC BY 4.0",
        "liang2015assessing",
    ),
    "appliances_energy": Source(
        f"{GITHUB}/LuisM78/Appliances-energy-prediction-data/e3e4c27a4ae2b41b21f84b4c9ac2d822d3d0ace1/",
        {"energydata_complete.csv": "2820bf712ad0275cb18b85a05250926100d8e65ebb9f4d2d016ca91ea152a25d"},
        "CC BY 4.0",
        "candanedo2017data",
    ),
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
        "CC BY-SA 3.0, as commonly stated",
        "lecun1998gradient",
    ),
    "fashion_mnist": Source(
        f"{GITHUB}/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
        {
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
        "MIT",
        "xiao2017fashion",
    ),
    "dsprites": Source(
        f"{GITHUB}/google-deepmind/dsprites-dataset/master/",
        {"dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz": "gitblob:d98996d3f8ee1550e06b9d4ed78d0beb478910d5"},
        "Apache 2.0",
        "matthey2017dsprites",
    ),
    "ett": Source(
        f"{GITHUB}/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/",
        {
            "ETTh1.csv": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
            "ETTh2.csv": "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
            "ETTm1.csv": "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
        },
        "CC BY-ND 4.0",
        "zhou2021informer",
    ),
    "exchange_rate": Source(
        f"{GITHUB}/laiguokun/multivariate-time-series-data/7f402f185cc2435b5e66aed13a3b560ed142e023/exchange_rate/",
        {"exchange_rate.txt.gz": "6a4fbb561dcdee43f071a83badbeec9223a335552278348656738b556f1c2e9d"},
        "none stated",
        "lai2018modeling",
    ),
    "tishby_var_u": Source(
        f"{GITHUB}/ravidziv/IDNNs/e53f054ee1fd0fafd90a717835e259a904b195bf/data/",
        {"var_u.mat": "0ba9551878a855396a8de0cbaae620788ede1e7b1eb2b8373bbe017d5ea02036"},
        "MIT, as the same file in artemyk/ibsgd",
        "shwartz2017opening",
    ),
    "cifar10": Source(
        "https://www.cs.toronto.edu/~kriz/",
        {
            "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
            "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
            "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "md5:40351d587109b95175f43aff81a1287e",
        },
        "none stated",
        "krizhevsky2009learning",
        {name: f"cifar-10-batches-py/{name}" for name in CIFAR_BATCHES},
        ("cifar-10-python.tar.gz", "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),
    ),
    "concepts_label_free_cbm": Source(
        f"{GITHUB}/Trustworthy-ML-Lab/Label-free-CBM/fa2869d46c454f406af69b19d3d5427f2d427492/data/",
        {
            "cifar10_classes.txt": "bb3914949cecedee6d1257f7f5fdb8f43fa3b2c8095fd1763161caf1b873fe59",
            "cifar10_filtered.txt": "dbd485c91708585e0740db46773dd9e7bccbf1bb2424a6aeaa6ab28f5e06ff19",
            "gpt3_cifar10_important.json": "3f31b1c6f2c539cd9f8ddd42e037169a2fbc422e8c27fc176cd5637e96bc94fe",
            "cub_classes.txt": "a7bc058a7a945cf89221675f67c827cf0284f29b265ea2fe42c83586e9e0b3e3",
            "cub_filtered.txt": "4e4b0ba0159791c9d5b105002c84baebd4ca8f8d8818a7a0c7052a1bb7a8dc8f",
            "gpt3_cub_important.json": "48f5c300d6ed3f8fbefd28622a07a5f2a9fec01a5b96c190b8a5612f373eb913",
        },
        "none stated",
        "oikarinen2023label",
        {
            "cifar10_filtered.txt": "concept_sets/cifar10_filtered.txt",
            "gpt3_cifar10_important.json": "concept_sets/gpt3_init/gpt3_cifar10_important.json",
            "cub_filtered.txt": "concept_sets/cub_filtered.txt",
            "gpt3_cub_important.json": "concept_sets/gpt3_init/gpt3_cub_important.json",
        },
    ),
    "concepts_vlg_cbm": Source(
        f"{GITHUB}/Trustworthy-ML-Lab/VLG-CBM/376a768efbb4f534a05f7e1819c889a313a3043f/concept_files/",
        {
            "cifar10_per_class.json": "63e3fcfab26763a4a67422368ffe33f4b6188947b3eb6b6250e38466a5e2e8ac",
            "cifar10_filtered.txt": "b5f9a66df814c1956bb62d1ea6327eee8887fb60d028f3ad32758af421382334",
            "cub_per_class.json": "d558b229ece1633f9c068205be47be81d36dd6470abbbf5e6d32c237db0fdc78",
            "cub_filtered.txt": "1ff0ca0f8d3644dece4c31c9f4ce0546d36918538bf650dde6969c207cbcfa69",
        },
        "none stated",
        "srivastava2024vlg",
    ),
    "concepts_labo": Source(
        f"{GITHUB}/YueYANG1996/LaBo/83ed4b08912a63fcc8d006a97b3cd51ebdcc2cdb/",
        {
            LABO_CIFAR10: "561535a8026ee70d771adb9f96d42ab0cd7d7144935d45f84ca75fd0d1831b1d",
            "selected_concepts__CUB.json": "b25986d28f9de10ec3567eb6ad5a1e31029163f31f2460c01c023304ffb62078",
        },
        "none stated",
        "yang2023language",
        {
            LABO_CIFAR10: "datasets/CIFAR10/concepts/class2concepts.json",
            "selected_concepts__CUB.json": "selected_concepts/CUB.json",
        },
    ),
    "wbcatt": Source(
        f"{GITHUB}/apple2373/wbcatt/ad255b80f6d56b9f72508b04466c3c4a2c95c97b/submission/",
        {
            "pbc_attr_v1_train.csv": "0ae43bc4e38740dd2d93859e3894af96cb570ebc709620fa41b5042c628ff9ec",
            "pbc_attr_v1_val.csv": "28a7c116c111e15652e995974770ceb91a1e123a9804d6a9c5e4a53d046be9a0",
            "pbc_attr_v1_test.csv": "f97100edd420a68d44fa15df11ef1f98a328813b9f5e9d49d67dbc20e89a73c5",
        },
        "MIT (annotations)",
        "tsutsui2023wbcatt",
    ),
    "derm7pt_meta": Source(
        f"{GITHUB}/gnapoles/Consistent-Derm7pt/cf0a02bd270b4e53ee480d03c91e78ae071e7e7a/meta/",
        {
            "meta.csv": "2e47bd663729b5964884ae8e68fd83d0f5df73fe83a6e53e44702db466e9e6ff",
        },
        "MIT (a reduced copy; the original is for research)",
        "kawahara2019seven",
    ),
    "cub200_meta": Source(
        "https://data.caltech.edu/records/65de6-vp158/files/",
        {
            "class_attribute_labels_continuous.txt": "6e7ead7702809b5f503b4b51ea421bddcec73ffa67df41a8004b323f7f59f52b",
            "image_class_labels.txt": "a245de8273244e071778bf89c78f21a979f4240b00a010df8ddbb6e5ad21aee7",
            "classes.txt": "60dbe07ba9d553823c13a2d63a02d5892aae8f27e4b3f658a0d58721043d7fb4",
        },
        "non-commercial research",
        "wah2011caltech",
        {
            "class_attribute_labels_continuous.txt": "CUB_200_2011/attributes/class_attribute_labels_continuous.txt",
            "image_class_labels.txt": "CUB_200_2011/image_class_labels.txt",
            "classes.txt": "CUB_200_2011/classes.txt",
        },
        archive=("CUB_200_2011.tgz", "md5:97eceeb196236b17998738112f37df78"),
    ),
}
