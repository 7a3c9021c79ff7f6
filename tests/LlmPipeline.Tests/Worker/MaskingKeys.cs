namespace LlmPipeline.Tests;

/// <summary><see cref="KeyMask"/>.</summary>
public sealed class MaskingKeys
{
    private const string Key = "sk-proj-0aB_9";

    [Theory]
    [InlineData("Incorrect API key provided: sk-proj-0aB_9.", "Incorrect API key provided: ***.")]
    [InlineData("'sk-proj-0aB_9'", "'***'")]
    [InlineData("Bearer sk-proj-0aB_9, and sk-proj-0aB_9 again", "Bearer ***, and *** again")]
    [InlineData("sk-proj-0aB_9", "***")]
    [InlineData("""{\"key\":\"\u0022sk-proj-0aB_9\u0022\nsk-proj-0aB_9\"}""", """{\"key\":\"\u0022***\u0022\n***\"}""")]
    [InlineData("https://host/?key=%22sk-proj-0aB_9%22&x", "https://host/?key=%22***%22&x")]
    public void A_key_is_masked_wherever_a_provider_quotes_it(string said, string shown) =>
        Assert.Equal(shown, new KeyMask([Key]).Apply(said));

    [Theory]
    [InlineData("sk-proj-0aB_9x")]
    [InlineData("xsk-proj-0aB_9")]
    [InlineData("sk-proj-0aB_9-2")]
    [InlineData("sk-pr*****B_9")]
    [InlineData("SK-PROJ-0AB_9")]
    public void Another_word_is_not(string said) => Assert.Equal(said, new KeyMask([Key]).Apply(said));

    [Theory]
    [InlineData("a", "a wrong key: a")]
    [InlineData("none", "the model has none")]
    [InlineData("EMPTY", "EMPTY")]
    [InlineData("1234567", "1234567")]
    [InlineData("", "nothing")]
    [InlineData(null, "nothing")]
    public void A_key_that_is_too_short_to_be_one_is_left(string? key, string said) => Assert.Equal(said, new KeyMask([key]).Apply(said));

    [Fact]
    public void A_key_of_other_characters_is_masked_also_where_a_url_quotes_it()
    {
        var mask = new KeyMask(["ab/cd+ef==", "12345678", "12345678-long"]);

        Assert.Equal("*** *** *** ***", mask.Apply("ab/cd+ef== ab%2Fcd%2Bef%3D%3D 12345678 12345678-long"));
    }
}
